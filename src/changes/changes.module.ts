import { Module } from '@nestjs/common';
import { Acts } from './acts.js';
import { ChangesFeed } from './changes-feed.js';
import { Instances } from './instances.js';

@Module({ providers: [ChangesFeed, Acts, Instances], exports: [ChangesFeed, Acts, Instances] })
export class ChangesModule {}

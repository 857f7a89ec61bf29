import { Module } from '@nestjs/common';
import { Acts } from './acts.js';
import { ChangesFeed } from './changes-feed.js';

@Module({ providers: [ChangesFeed, Acts], exports: [ChangesFeed, Acts] })
export class ChangesModule {}

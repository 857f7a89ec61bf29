import { Module } from '@nestjs/common';
import { ChangesFeed } from './changes-feed.js';

@Module({ providers: [ChangesFeed], exports: [ChangesFeed] })
export class ChangesModule {}

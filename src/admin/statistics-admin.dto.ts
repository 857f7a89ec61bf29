import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { LiveInstance } from '../changes/instances.js';
import { IfGiven, IsOneOf, IsTime } from '../errors/validators.js';
import { PageBody, PageQueryDto } from '../rooms/page.dto.js';
import type { CountView, PeriodView, StatisticsView } from './statistics-admin.service.js';

const PERIODS = ['hour', 'day'] as const;
const TIME = { format: 'date-time', example: '2026-11-24T12:00:00.000Z' } as const;
const COUNT = { type: 'integer', minimum: 0 } as const;

export class StatisticsHistoryQueryDto extends PageQueryDto {
  @ApiProperty({ enum: PERIODS, description: 'How long a period is.', example: 'hour' })
  @IsOneOf(PERIODS)
  by!: (typeof PERIODS)[number];

  @ApiPropertyOptional({ ...TIME, type: String, description: 'Only periods that begin then or later.' })
  @IfGiven()
  @IsTime()
  from?: Date;

  @ApiPropertyOptional({ ...TIME, type: String, description: 'Only periods that begin before.', example: '2026-11-25T00:00:00Z' })
  @IfGiven()
  @IsTime()
  to?: Date;
}

export class CountBody implements CountView {
  @ApiProperty({ ...COUNT, example: 1180 })
  count!: number;

  @ApiProperty({ description: 'Over 100,000 they are not counted: this is what PostgreSQL estimates.', example: false })
  isEstimate!: boolean;
}

export class LiveInstanceBody implements LiveInstance {
  @ApiProperty({ format: 'uuid', example: '5f0e8a11-6f0e-4c7e-9d0c-3f1f0199c3a1' })
  id!: string;

  @ApiProperty(TIME)
  startedAt!: string;

  @ApiProperty({ ...TIME, description: 'When it last said so: every five seconds.' })
  seenAt!: string;

  @ApiProperty({ ...COUNT, description: 'Open then.', example: 42 })
  connections!: number;
}

export class StatisticsBody implements StatisticsView {
  @ApiProperty({ type: CountBody })
  users!: CountView;

  @ApiProperty({ type: CountBody, description: 'Deleted ones are left out, but for an estimate.' })
  rooms!: CountView;

  @ApiProperty({ type: CountBody, description: 'Deleted ones included.' })
  messages!: CountView;

  @ApiProperty({ ...COUNT, description: 'Users who are visibly online, each once.', example: 17 })
  onlineUsers!: number;

  @ApiProperty({ description: 'Redis could not be asked: only users of this instance are counted as online.', example: false })
  isOnlinePartial!: boolean;

  @ApiProperty({ ...COUNT, description: 'Open connections of all instances.', example: 42 })
  connections!: number;

  @ApiProperty({ type: [LiveInstanceBody], description: 'The oldest first.' })
  instances!: LiveInstance[];

  @ApiProperty({ ...COUNT, description: 'As of `countedAt`, over the time since the count before.', example: 230 })
  messagesPerMinute!: number;

  @ApiProperty({ ...TIME, description: 'When the statistics were last filled: every 20 seconds.' })
  countedAt!: string;
}

export class PeriodBody implements PeriodView {
  @ApiProperty({ ...TIME, description: 'When the hour or day began, in UTC.' })
  at!: string;

  @ApiProperty({ ...COUNT, description: 'Messages sent.', example: 1180 })
  messages!: number;

  @ApiProperty({ ...COUNT, description: 'Users who sent something, each once.', example: 17 })
  activeUsers!: number;

  @ApiProperty({ ...COUNT, description: 'Users seen for the first time, or banned or muted before that.', example: 2 })
  newUsers!: number;

  @ApiProperty({ ...COUNT, description: 'Rooms made.', example: 1 })
  newRooms!: number;

  @ApiProperty({
    ...COUNT,
    description: 'The most connections of all instances that were seen open at a time, looked at every 20 seconds.',
    example: 42,
  })
  peakConnections!: number;
}

export class PeriodPageBody extends PageBody {
  @ApiProperty({ type: [PeriodBody] })
  items!: PeriodView[];
}

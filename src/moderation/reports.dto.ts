import { ApiExtraModels, ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IfGiven, IsOneOf, IsReason, IsText, IsTime, IsUserId, IsUuid } from '../errors/validators.js';
import { LIMITS } from '../protocol/index.js';
import { PageBody, PageQueryDto } from '../rooms/page.dto.js';
import { RoomParams } from '../rooms/room.params.js';
import { type Decision, DECISIONS, REPORT_REASONS, type ReportReason } from './report-statements.js';
import { DECIDED_IN, type DecidedIn, type ReportView, type ResolutionView } from './reports.repository.js';

const ID = { format: 'uuid', example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11' } as const;
const TIME = { format: 'date-time', example: '2026-11-24T12:00:00.000Z' } as const;
const NOTE = { minLength: 1, maxLength: LIMITS.reasonChars, example: 'Third time today' } as const;
const STATUSES = ['open', 'resolved'] as const;

export class ReportParams {
  @ApiProperty({ ...ID, description: 'Id of the report.' })
  @IsUuid()
  report!: string;
}

export class RoomReportParams extends RoomParams {
  @ApiProperty({ ...ID, description: 'Id of the report.' })
  @IsUuid()
  report!: string;
}

export class ReportedUserParams {
  @ApiProperty({ description: 'Id of the user.', minLength: 1, maxLength: LIMITS.userIdChars, example: 'u9' })
  @IsUserId()
  user!: string;
}

export class NewReportDto {
  @ApiProperty({ enum: REPORT_REASONS, example: 'spam' })
  @IsOneOf(REPORT_REASONS)
  reason!: ReportReason;

  @ApiPropertyOptional({ ...NOTE, description: 'For the moderators.' })
  @IfGiven()
  @IsText(1, LIMITS.reasonChars)
  note?: string;
}

export class RoomReportQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ enum: STATUSES, description: 'Only those that are so.', example: 'open' })
  @IfGiven()
  @IsOneOf(STATUSES)
  status?: (typeof STATUSES)[number];
}

export class ReportQueryDto extends RoomReportQueryDto {
  @ApiPropertyOptional({ ...ID, description: 'Only about messages of this room.' })
  @IfGiven()
  @IsUuid()
  room?: string;

  @ApiPropertyOptional({ description: 'Only about this user.', minLength: 1, maxLength: LIMITS.userIdChars, example: 'u9' })
  @IfGiven()
  @IsUserId()
  user?: string;

  @ApiPropertyOptional({
    enum: DECIDED_IN,
    description: 'Only those that were decided: by the moderators of a room, and no administrator since, or by an administrator.',
    example: 'room',
  })
  @IfGiven()
  @IsOneOf(DECIDED_IN)
  decidedIn?: DecidedIn;
}

export class ResolutionDto {
  @ApiProperty({ enum: DECISIONS, description: 'What is to be done, in one go with closing the report.', example: 'mute' })
  @IsOneOf(DECISIONS)
  decision!: Decision;

  @ApiProperty({ ...NOTE, description: 'Why; also the reason of the removal, the mute or the ban.' })
  @IsReason()
  reason!: string;

  @ApiPropertyOptional({
    type: String,
    format: 'date-time',
    description: 'With `mute` or `ban` alone: when it ends by itself; without it, not before it is lifted.',
    example: '2099-01-01T00:00:00.000Z',
  })
  @IfGiven()
  @IsTime({ future: true })
  until?: Date;
}

export class ResolutionBody implements ResolutionView {
  @ApiProperty({ enum: DECISIONS, example: 'remove' })
  decision!: Decision;

  @ApiProperty({ enum: DECIDED_IN, description: 'By a moderator for the room, or by an administrator for the server.', example: 'room' })
  decidedIn!: DecidedIn;

  @ApiProperty({ description: 'Id of the user who decided.', example: 'u1' })
  by!: string;

  @ApiProperty(NOTE)
  reason!: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null })
  until!: string | null;

  @ApiProperty(TIME)
  at!: string;
}

@ApiExtraModels(ResolutionBody)
export class ReportBody implements ReportView {
  @ApiProperty(ID)
  id!: string;

  @ApiProperty({ type: String, nullable: true, description: 'Null for the moderators of a room, who are not told.', example: 'u8' })
  reporter!: string | null;

  @ApiProperty({ description: 'Id of the user whom it is about: the sender of the message.', example: 'u9' })
  user!: string;

  @ApiProperty({ ...ID, type: String, nullable: true, description: 'Null where it is about a user.' })
  room!: string | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'Null where it is about a user.', example: 118 })
  seq!: number | null;

  @ApiProperty({ enum: REPORT_REASONS, example: 'spam' })
  reason!: ReportReason;

  @ApiProperty({ ...NOTE, type: String, nullable: true })
  note!: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'What the message said when it was reported; null of a user, and once it is not kept any more.',
    example: 'Buy now',
  })
  text!: string | null;

  @ApiProperty(TIME)
  createdAt!: string;

  @ApiProperty({ enum: STATUSES, example: 'open' })
  status!: (typeof STATUSES)[number];

  @ApiProperty({
    oneOf: [{ $ref: '#/components/schemas/ResolutionBody' }, { type: 'object', nullable: true, enum: [null] }],
    description: 'Null while the report is open.',
  })
  resolution!: ResolutionView | null;

  @ApiProperty({
    oneOf: [{ $ref: '#/components/schemas/ResolutionBody' }, { type: 'object', nullable: true, enum: [null] }],
    description: 'What the room’s moderators had decided, where an administrator has decided anew.',
  })
  overruled!: ResolutionView | null;
}

export class ReportPageBody extends PageBody {
  @ApiProperty({ type: [ReportBody] })
  items!: ReportView[];
}

import { ApiProperty, ApiPropertyOptional, IntersectionType } from '@nestjs/swagger';
import { IsOptional } from 'class-validator';
import { UrlFlag } from '../errors/url-values.js';
import { IfGiven, IsFlag, IsOneOf, IsText, IsUserId } from '../errors/validators.js';
import { LIMITS, type RoomType, type RoomView } from '../protocol/index.js';
import { RemovalQueryDto } from '../rooms/members.dto.js';
import { PageQueryDto } from '../rooms/page.dto.js';
import { ROOM_TYPES, RoomBody } from '../rooms/rooms.dto.js';
import { DryRunQueryDto } from './admin.dto.js';

export class RoomsQueryAdminDto extends PageQueryDto {
  @ApiPropertyOptional({
    minLength: 1,
    maxLength: LIMITS.roomNameChars,
    description: 'A part of the name, in any case.',
    example: 'kit',
  })
  @IfGiven()
  @IsText(1, LIMITS.roomNameChars)
  q?: string;

  @ApiPropertyOptional({ enum: ROOM_TYPES, description: 'Only rooms of this type.', example: 'public' })
  @IfGiven()
  @IsOneOf(ROOM_TYPES)
  type?: RoomType;

  @ApiPropertyOptional({ type: String, enum: ['true', 'false'], description: 'Only archived rooms, or only the others.', example: 'false' })
  @IfGiven()
  @UrlFlag()
  archived?: boolean;

  @ApiPropertyOptional({ minLength: 1, maxLength: LIMITS.userIdChars, description: 'Only rooms of this user.', example: 'u7' })
  @IfGiven()
  @IsUserId()
  member?: string;
}

export class RoomChangesAdminDto {
  @ApiPropertyOptional({
    type: String,
    nullable: true,
    minLength: 1,
    maxLength: LIMITS.roomNameChars,
    description: 'Null takes it away.',
    example: 'Kitchen',
  })
  @IsOptional()
  @IsText(1, LIMITS.roomNameChars)
  name?: string | null;

  @ApiPropertyOptional({
    type: String,
    nullable: true,
    maxLength: LIMITS.roomTopicChars,
    description: 'Null takes it away.',
    example: 'What is for lunch',
  })
  @IsOptional()
  @IsText(0, LIMITS.roomTopicChars)
  topic?: string | null;

  @ApiPropertyOptional({ description: 'An archived room can be read, and nothing else.', example: false })
  @IfGiven()
  @IsFlag()
  archived?: boolean;
}

export class MemberRemovalQueryDto extends IntersectionType(RemovalQueryDto, DryRunQueryDto) {}

export class RemovedRoomBody {
  @ApiProperty({ description: 'Whether nothing was done.', example: true })
  dryRun!: boolean;

  @ApiProperty({ type: RoomBody, description: 'The room as it was last seen.' })
  room!: RoomView;

  @ApiProperty({ type: 'integer', minimum: 0, description: 'Who loses the room.', example: 12 })
  members!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    description: 'Messages that nobody can read any more, deleted ones included.',
    example: 1180,
  })
  messages!: number;

  @ApiProperty({ type: 'integer', minimum: 0, example: 1 })
  bans!: number;
}

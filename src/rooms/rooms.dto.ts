import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { ArrayMaxSize, IsArray, IsOptional } from 'class-validator';
import { IfGiven, IsFlag, IsMeta, IsOneOf, IsText, IsUserId } from '../errors/validators.js';
import { LIMITS, type Message, type Meta, type Role, type RoomType, type RoomView } from '../protocol/index.js';
import { PageBody, PageQueryDto } from './page.dto.js';
import type { MyRoom } from './rooms.repository.js';

export const ROOM_TYPES = ['public', 'private', 'direct'] as const satisfies RoomType[];
export const ROLES = ['owner', 'moderator', 'member'] as const satisfies Role[];

const ID = { format: 'uuid', example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11' } as const;
const NAME = { type: String, nullable: true, minLength: 1, maxLength: LIMITS.roomNameChars, example: 'Kitchen' } as const;
const TOPIC = { type: String, nullable: true, maxLength: LIMITS.roomTopicChars, example: 'What is for lunch' } as const;
const META = {
  type: 'object',
  additionalProperties: true,
  description: `Anything of yours, in at most ${LIMITS.metaBytes} bytes of JSON and ${LIMITS.metaDepth} levels.`,
  example: { color: 'teal' },
} as const;
const SEQ = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;
const TIME = { format: 'date-time', example: '2026-11-24T12:00:00.000Z' } as const;

export class NewRoomDto {
  @ApiProperty({
    enum: ROOM_TYPES,
    description:
      'Public rooms are found, read and joined by everybody; private ones by invitation; a direct room is the one of its members.',
    example: 'private',
  })
  @IsOneOf(ROOM_TYPES)
  type!: RoomType;

  @ApiPropertyOptional(NAME)
  @IsOptional()
  @IsText(1, LIMITS.roomNameChars)
  name?: string | null;

  @ApiPropertyOptional(TOPIC)
  @IsOptional()
  @IsText(0, LIMITS.roomTopicChars)
  topic?: string | null;

  @ApiPropertyOptional(META)
  @IfGiven()
  @IsMeta()
  meta?: Meta;

  @ApiPropertyOptional({
    type: [String],
    maxItems: LIMITS.initialMembers,
    description: `Ids of users, seen here or not; the caller is implied. A direct room has 1 to ${LIMITS.directMembers - 1} others.`,
    example: ['u8'],
  })
  @IfGiven()
  @IsArray({ message: 'must be a list' })
  @ArrayMaxSize(LIMITS.initialMembers, { message: `must be at most ${LIMITS.initialMembers} ids` })
  @IsUserId({ each: true })
  members?: string[];
}

export class RoomChangesDto {
  @ApiPropertyOptional({ ...NAME, description: 'Null takes it away.' })
  @IsOptional()
  @IsText(1, LIMITS.roomNameChars)
  name?: string | null;

  @ApiPropertyOptional({ ...TOPIC, description: 'Null takes it away.' })
  @IsOptional()
  @IsText(0, LIMITS.roomTopicChars)
  topic?: string | null;

  @ApiPropertyOptional({ ...META, description: `Replaces the whole. ${META.description}` })
  @IfGiven()
  @IsMeta()
  meta?: Meta;

  @ApiPropertyOptional({ description: 'An archived room can be read, and nothing else. For owners.', example: false })
  @IfGiven()
  @IsFlag()
  archived?: boolean;
}

export class PublicRoomsQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ minLength: 1, maxLength: LIMITS.roomNameChars, description: 'A part of the name, in any case.', example: 'kit' })
  @IsOptional()
  @IsText(1, LIMITS.roomNameChars)
  q?: string;
}

export class RoomBody implements RoomView {
  @ApiProperty(ID)
  id!: string;

  @ApiProperty({ enum: ROOM_TYPES, example: 'private' })
  type!: RoomType;

  @ApiProperty(NAME)
  name!: string | null;

  @ApiProperty(TOPIC)
  topic!: string | null;

  @ApiProperty(META)
  meta!: Meta;

  @ApiProperty({
    description: 'Changes only when a seq could have been used twice: then drop what you hold of the room.',
    example: 'k3v9x2Qa',
  })
  epoch!: string;

  @ApiProperty({ ...SEQ, minimum: 1, description: 'The oldest event that is kept; 1 in an empty room.', example: 1 })
  firstSeq!: number;

  @ApiProperty({ ...SEQ, description: "The newest event's seq; 0 in a room without any.", example: 121 })
  headSeq!: number;

  @ApiProperty({ type: 'integer', minimum: 0, maximum: LIMITS.membersPerRoom, example: 2 })
  memberCount!: number;

  @ApiProperty({ description: 'Id of the user who made the room.', example: 'u7' })
  createdBy!: string;

  @ApiProperty(TIME)
  createdAt!: string;

  @ApiProperty({ ...TIME, type: String, nullable: true, description: 'Since when the room is archived.', example: null })
  archivedAt!: string | null;
}

export class RoomPageBody extends PageBody {
  @ApiProperty({ type: [RoomBody] })
  items!: RoomView[];
}

@ApiSchema({ description: 'A room as one of its members sees it.' })
export class MyRoomBody implements MyRoom {
  @ApiProperty({ type: RoomBody })
  room!: RoomView;

  @ApiProperty({ enum: ROLES, description: "The caller's.", example: 'owner' })
  role!: Role;

  @ApiProperty({ ...SEQ, description: 'Up to where the caller has read.', example: 118 })
  readSeq!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    maximum: LIMITS.unreadMax,
    description: 'Messages of others behind `readSeq` that are not deleted; stops at the maximum.',
    example: 3,
  })
  unread!: number;

  // Described where messages are, in a folder of higher rank; the document has both.
  @ApiProperty({
    oneOf: [{ $ref: '#/components/schemas/MessageBody' }, { type: 'object', nullable: true, enum: [null] }],
    description: 'The newest, as it stands, deleted or not; null in a room without messages.',
  })
  lastMessage!: Message | null;
}

export class MyRoomPageBody extends PageBody {
  @ApiProperty({ type: [MyRoomBody] })
  items!: MyRoom[];
}

export class OwnRoleBody {
  @ApiProperty({ enum: ROLES, description: "The caller's role in the room.", example: 'member' })
  role!: Role;
}

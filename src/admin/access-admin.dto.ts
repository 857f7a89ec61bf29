import { ApiExtraModels, ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IfGiven, IsOneOf, IsUserId } from '../errors/validators.js';
import { LIMITS, type Role, type RoomType } from '../protocol/index.js';
import { REFUSAL_REASONS, ROOM_RULES, type RoomAction, type Rule, type Verdict } from '../rooms/room-access.js';
import { RoomParams } from '../rooms/room.params.js';
import { ROLES, ROOM_TYPES } from '../rooms/rooms.dto.js';
import type { AccessQuestion, AccessReason, ExplainedAccess, Judgement } from './access-admin.service.js';

const ACTIONS = Object.keys(ROOM_RULES) as RoomAction[];
const VERDICTS = ['allow', 'not_found', 'forbidden', 'conflict'] as const satisfies Verdict[];

export class AccessQueryDto extends RoomParams implements AccessQuestion {
  @ApiProperty({ minLength: 1, maxLength: LIMITS.userIdChars, description: 'Who.', example: 'u8' })
  @IsUserId()
  user!: string;

  @ApiProperty({ enum: ACTIONS, description: 'What: a line of the permission table.', example: 'message.send' })
  @IsOneOf(ACTIONS)
  action!: RoomAction;

  @ApiPropertyOptional({
    minLength: 1,
    maxLength: LIMITS.userIdChars,
    description:
      'Whom it is about, with `member.set`, `member.remove`, `ban.set`, `mute.set` and `report.resolve`; without it, nobody in particular.',
    example: 'u9',
  })
  @IfGiven()
  @IsUserId()
  target?: string;

  @ApiPropertyOptional({
    enum: ROLES,
    description: 'With `member.set`: the role that the target is to have.',
    example: 'moderator',
    default: 'member',
  })
  @IfGiven()
  @IsOneOf(ROLES)
  role?: Role;
}

export class RuleBody implements Rule {
  @ApiProperty({ enum: ROLES, isArray: true, description: 'Members with one of these roles may.', example: ['owner', 'moderator'] })
  roles!: readonly Role[];

  @ApiPropertyOptional({ enum: [true], description: 'A non-member of a public room may, too.', example: true })
  guests?: true;

  @ApiPropertyOptional({ enum: [true], description: 'Not in a direct room.', example: true })
  notDirect?: true;

  @ApiPropertyOptional({ enum: [true], description: 'In a direct room every member may.', example: true })
  directAll?: true;

  @ApiPropertyOptional({ enum: [true], description: 'In an archived room as well.', example: true })
  archived?: true;

  @ApiPropertyOptional({ enum: [true], description: 'An administrator may in a direct room what its members may not.', example: true })
  directAdministrator?: true;

  @ApiPropertyOptional({ enum: [true], description: 'Says something: not for who is muted.', example: true })
  speech?: true;
}

export class AccessFactsBody {
  @ApiProperty({ enum: ROOM_TYPES, example: 'private' })
  type!: RoomType;

  @ApiProperty({ description: 'Whether the room is archived.', example: false })
  archived!: boolean;

  @ApiProperty({ type: String, enum: [...ROLES, null], nullable: true, description: 'Null when the user is no member.', example: 'member' })
  role!: Role | null;

  @ApiProperty({ description: 'Whether the user is banned from the room.', example: false })
  roomBanned!: boolean;

  @ApiProperty({ description: 'Whether the user is banned from the server.', example: false })
  serverBanned!: boolean;

  @ApiProperty({ description: 'Whether the user is disabled.', example: false })
  serverDisabled!: boolean;

  @ApiProperty({ description: 'Whether the user is muted in the room.', example: false })
  roomMuted!: boolean;

  @ApiProperty({ description: 'Whether the user is muted on the server.', example: false })
  serverMuted!: boolean;
}

export class JudgementBody implements Judgement {
  @ApiProperty({ example: true })
  allowed!: boolean;

  @ApiProperty({ enum: VERDICTS, description: 'Allowed, or the code of the refusal.', example: 'allow' })
  verdict!: Verdict;

  @ApiProperty({
    type: String,
    enum: [...REFUSAL_REASONS, 'serverBanned', 'serverDisabled', null],
    nullable: true,
    description: 'What is in the way; null when it is allowed.',
    example: null,
  })
  reason!: AccessReason | null;

  @ApiProperty({ type: String, nullable: true, description: 'What the user is told; null when it is allowed.', example: null })
  words!: string | null;
}

@ApiExtraModels(JudgementBody)
export class ExplainedAccessBody extends JudgementBody implements ExplainedAccess {
  @ApiProperty({ enum: ACTIONS, description: 'The line of the permission table that was applied.', example: 'message.send' })
  action!: RoomAction;

  @ApiProperty({ type: RuleBody, description: 'What that line says.' })
  rule!: Rule;

  @ApiProperty({
    oneOf: [{ $ref: '#/components/schemas/JudgementBody' }, { type: 'object', nullable: true, enum: [null] }],
    description: 'The same under `/v1/admin`, if he is an administrator; null where no route of administration does this.',
  })
  asAdministrator!: Judgement | null;

  @ApiProperty({ type: AccessFactsBody, description: 'What it was decided by.' })
  facts!: AccessFactsBody;
}

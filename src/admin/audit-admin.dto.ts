import { ApiProperty, ApiPropertyOptional, IntersectionType } from '@nestjs/swagger';
import { IfGiven, IsOneOf, IsText, IsTime } from '../errors/validators.js';
import { PageBody, PageQueryDto } from '../rooms/page.dto.js';
import type { AuditOutcome } from '../audit/audit-entry.js';

const OUTCOMES = ['begun', 'ok', 'denied', 'failed'] as const satisfies readonly AuditOutcome[];
const ACTORS = ['user', 'key', 'anonymous', 'server', 'operator'] as const;

export class AuditFilterDto {
  @ApiPropertyOptional({ description: 'Id of who did it.', minLength: 1, maxLength: 255, example: 'u7' })
  @IfGiven()
  @IsText(1, 255)
  actor?: string;

  @ApiPropertyOptional({ description: 'What was done.', minLength: 1, maxLength: 64, example: 'user.ban' })
  @IfGiven()
  @IsText(1, 64)
  action?: string;

  @ApiPropertyOptional({
    description: 'To what it was done: a value of `target`, such as the id of a user or a room.',
    minLength: 1,
    maxLength: 255,
    example: 'u7',
  })
  @IfGiven()
  @IsText(1, 255)
  target?: string;

  @ApiPropertyOptional({ description: 'How it ended.', enum: OUTCOMES, example: 'ok' })
  @IfGiven()
  @IsOneOf(OUTCOMES)
  outcome?: AuditOutcome;

  @ApiPropertyOptional({ description: 'From this moment on.', format: 'date-time', example: '2026-11-24T00:00:00.000Z' })
  @IfGiven()
  @IsTime()
  from?: Date;

  @ApiPropertyOptional({ description: 'Before this moment.', format: 'date-time', example: '2026-11-25T00:00:00.000Z' })
  @IfGiven()
  @IsTime()
  to?: Date;
}

export class AuditQueryDto extends IntersectionType(AuditFilterDto, PageQueryDto) {}

export class AuditActorBody {
  @ApiProperty({ enum: ACTORS, example: 'user' })
  kind!: (typeof ACTORS)[number];

  @ApiProperty({ type: String, nullable: true, description: 'Of an anonymous one: only what was claimed.', example: 'root' })
  id!: string | null;
}

export class AuditEntryBody {
  @ApiProperty({ type: 'integer', description: 'Numbered without a hole, in the order of commits.', example: 812 })
  seq!: number;

  @ApiProperty({ format: 'date-time', example: '2026-11-24T12:00:00.000Z' })
  at!: string;

  @ApiProperty({ example: 'user.ban' })
  action!: string;

  @ApiProperty({
    enum: OUTCOMES,
    description: '`begun` comes before the act is done, with the same `requestId` as its `ok` or `failed`. `denied`: who asked may not.',
    example: 'ok',
  })
  outcome!: AuditOutcome;

  @ApiProperty({ type: AuditActorBody })
  actor!: AuditActorBody;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' }, nullable: true, example: { user: 'u7' } })
  target!: Record<string, string> | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Of an IPv6 client: its /64. Of counted refusals, where they came from many addresses: their network.',
    example: '192.0.2.1',
  })
  address!: string | null;

  @ApiProperty({ type: String, nullable: true, example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11' })
  requestId!: string | null;

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    description:
      'What was asked for (`dryRun`, `roles`, `reason`, a filter), `id`, of what was made, `code`, of an error, `credential`, of what was shown and is false (`token` or `key`), and `folded`: of how many refusals the row is the count.',
    example: null,
  })
  details!: Record<string, unknown> | null;

  @ApiProperty({
    description: 'The hash of the entry before, in hex.',
    example: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  })
  prevHash!: string;

  @ApiProperty({
    description: 'SHA-256 of the entry and of `prevHash`, in hex.',
    example: '60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752',
  })
  hash!: string;
}

export class AuditPageBody extends PageBody {
  @ApiProperty({ type: [AuditEntryBody] })
  items!: AuditEntryBody[];
}

import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Matches } from 'class-validator';
import type { ConnectionView } from '../bus/questions.js';
import { UrlInteger } from '../errors/url-values.js';
import { IfGiven, IsUserId, IsUuid } from '../errors/validators.js';
import { LIMITS } from '../protocol/index.js';
import { PageBody, PageQueryDto } from '../rooms/page.dto.js';
import { DryRunQueryDto } from './admin.dto.js';

const CONNECTION = /^c_[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;
const MAX_SECONDS = 999_999_999;
const INSTANCE = { format: 'uuid', example: '5f0e8a11-6f0e-4c7e-9d0c-3f1f0199c3a1' } as const;

export class ConnectionsQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ minLength: 1, maxLength: LIMITS.userIdChars, description: 'Only those of this user.', example: 'u7' })
  @IfGiven()
  @IsUserId()
  user?: string;

  @ApiPropertyOptional({
    format: 'uuid',
    description: 'Only those that follow this room.',
    example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11',
  })
  @IfGiven()
  @IsUuid()
  room?: string;

  @ApiPropertyOptional({ ...INSTANCE, description: 'Only those that are open on this instance.' })
  @IfGiven()
  @IsUuid()
  instance?: string;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 0,
    maximum: MAX_SECONDS,
    description: 'Only those that have been open for so long.',
    example: 3600,
  })
  @IfGiven()
  @UrlInteger(0, MAX_SECONDS)
  olderThanSeconds?: number;
}

export class ConnectionParamsDto {
  @ApiProperty({
    pattern: CONNECTION.source,
    description: 'Id of the connection, as in its `hello`.',
    example: 'c_0199c3a1-6f0e-4c7e-9d0c-3f1f5f0e8a11',
  })
  @Matches(CONNECTION, { message: 'must be the id of a connection' })
  connection!: string;
}

export class UserConnectionsQueryDto extends DryRunQueryDto {
  @ApiProperty({ minLength: 1, maxLength: LIMITS.userIdChars, description: 'Whose connections.', example: 'u9' })
  @IsUserId()
  user!: string;
}

export class ConnectionBody implements ConnectionView {
  @ApiProperty({ description: 'As in its `hello`.', example: 'c_0199c3a1-6f0e-4c7e-9d0c-3f1f5f0e8a11' })
  id!: string;

  @ApiProperty({ example: 'u7' })
  user!: string;

  @ApiProperty({ ...INSTANCE, description: 'The instance that it is open on.' })
  instance!: string;

  @ApiProperty({ description: 'Where it came from; of IPv6 the network.', example: '203.0.113.7' })
  address!: string;

  @ApiProperty({ type: String, nullable: true, description: 'What its client called itself.', example: 'Mozilla/5.0' })
  userAgent!: string | null;

  @ApiProperty({ format: 'date-time', example: '2026-11-24T12:00:00.000Z' })
  openedAt!: string;

  @ApiProperty({ type: 'integer', minimum: 0, maximum: LIMITS.subscriptions, description: 'Rooms that it follows.', example: 12 })
  subscriptions!: number;

  @ApiProperty({ type: 'integer', minimum: 0, description: 'Bytes that its client has not taken yet.', example: 0 })
  unsentBytes!: number;
}

const INCOMPLETE = {
  type: [String] as [typeof String],
  description: 'Instances that did not answer within a second: what is open there is not in the answer.',
  example: [],
};

export class ConnectionPageBody extends PageBody {
  @ApiProperty({ type: [ConnectionBody] })
  items!: ConnectionView[];

  @ApiProperty(INCOMPLETE)
  incomplete!: string[];
}

export class ClosedConnectionsBody {
  @ApiProperty({ description: 'Whether nothing was done.', example: false })
  dryRun!: boolean;

  @ApiProperty({ type: 'integer', minimum: 0, description: 'Connections that were found open.', example: 1 })
  count!: number;

  @ApiProperty({ ...INCOMPLETE, description: 'Instances that did not say within a second what is open there. They close it all the same.' })
  incomplete!: string[];
}

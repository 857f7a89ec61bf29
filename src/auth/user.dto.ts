import { ApiProperty } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ArrayMaxSize, ArrayMinSize, IsArray } from 'class-validator';
import { IsUserId } from '../errors/validators.js';
import type { ChosenStatus } from '../protocol/index.js';
import type { UserView } from './user-directory.js';

const MAX_IDS = 100;

export class UserBody implements UserView {
  @ApiProperty({ description: "The token's `sub`.", maxLength: 255, example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11' })
  id!: string;

  @ApiProperty({ type: String, nullable: true, description: 'Null for users who do not log in here.', example: 'ada' })
  username!: string | null;

  @ApiProperty({ type: String, nullable: true, example: 'Ada Lovelace' })
  name!: string | null;

  @ApiProperty({
    format: 'date-time',
    description: 'When the server first saw the user, or was told of him by a ban or a mute.',
    example: '2026-11-24T12:00:00.000Z',
  })
  createdAt!: string;
}

export class MeBody extends UserBody {
  @ApiProperty({ enum: ['online', 'away', 'busy', 'invisible'], description: 'What the user has chosen to show.', example: 'online' })
  status!: ChosenStatus;

  @ApiProperty({ type: [String], description: "The token's roles.", example: [] })
  roles!: readonly string[];
}

export class UserListBody {
  @ApiProperty({ type: [UserBody] })
  items!: UserView[];

  @ApiProperty({ type: String, nullable: true, description: 'Always null: the list is whole.', example: null })
  nextCursor!: null;
}

export class UsersQueryDto {
  // A list is split at commas; ids that have one are given by a parameter each, of which there must be two.
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? value.split(',') : value))
  @IsArray({ message: 'must be given' })
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_IDS, { message: `must be at most ${MAX_IDS} ids` })
  @IsUserId({ each: true })
  ids!: string[];
}

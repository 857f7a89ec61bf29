import { ApiProperty } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { Matches } from 'class-validator';
import { IsUserId } from '../errors/validators.js';
import { LIMITS } from '../protocol/index.js';

const lowerCase = ({ value }: { value: unknown }) => (typeof value === 'string' ? value.toLowerCase() : value);

/** The room that a path names. In lower case from here on, as it is in events and acts. */
export class RoomParams {
  @ApiProperty({ format: 'uuid', description: 'Id of the room.', example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11' })
  @Transform(lowerCase)
  @Matches(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/, { message: 'must be a UUID' })
  room!: string;
}

export class RoomUserParams extends RoomParams {
  @ApiProperty({ description: 'Id of the user.', minLength: 1, maxLength: LIMITS.userIdChars, example: 'u8' })
  @IsUserId()
  user!: string;
}

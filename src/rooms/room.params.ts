import { ApiProperty } from '@nestjs/swagger';
import { IsUserId, IsUuid } from '../errors/validators.js';
import { LIMITS } from '../protocol/index.js';

/** The room that a path names. */
export class RoomParams {
  @ApiProperty({ format: 'uuid', description: 'Id of the room.', example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11' })
  @IsUuid()
  room!: string;
}

export class RoomUserParams extends RoomParams {
  @ApiProperty({ description: 'Id of the user.', minLength: 1, maxLength: LIMITS.userIdChars, example: 'u8' })
  @IsUserId()
  user!: string;
}

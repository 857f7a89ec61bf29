import { Controller, Delete, HttpCode, Param, Put } from '@nestjs/common';
import { ApiBearerAuth, ApiNoContentResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { AccessControl } from '../auth/access-control.service.js';
import { Audited } from '../audit/audited.js';
import { RequireScope } from '../auth/scopes.js';
import { ApiErrors } from '../errors/api-errors.js';
import { UserParamsDto } from './admin.dto.js';

@ApiTags('admin')
@ApiBearerAuth()
@Controller('v1/admin')
export class AdminController {
  constructor(private readonly access: AccessControl) {}

  @Put('users/:user/ban')
  @Audited('user.ban')
  @RequireScope('users:write')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Ban a user from the server',
    description: 'His requests are refused and his sockets close with 4203. Needs the role `admin`.',
  })
  @ApiNoContentResponse()
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  ban(@Param() { user }: UserParamsDto): Promise<void> {
    return this.access.banUser(user);
  }

  @Delete('users/:user/ban')
  @Audited('user.unban')
  @RequireScope('users:write')
  @HttpCode(204)
  @ApiOperation({ summary: 'Lift the ban of a user', description: 'No error when there is none. Needs the role `admin`.' })
  @ApiNoContentResponse()
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  unban(@Param() { user }: UserParamsDto): Promise<void> {
    return this.access.unbanUser(user);
  }
}

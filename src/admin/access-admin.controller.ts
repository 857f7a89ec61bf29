import { Controller, Get, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Audited } from '../audit/audited.js';
import { RequireScope } from '../auth/scopes.js';
import { ApiErrors } from '../errors/api-errors.js';
import { AccessQueryDto, ExplainedAccessBody } from './access-admin.dto.js';
import { AccessAdminService } from './access-admin.service.js';

@ApiTags('admin')
@ApiBearerAuth()
@Controller('v1/admin/access')
export class AccessAdminController {
  constructor(private readonly access: AccessAdminService) {}

  @Get()
  @Audited('access.explain')
  @RequireScope('access:read')
  @ApiOperation({
    summary: 'May this user do this in that room, and why?',
    description:
      'By the very function that decides it, in the words that the user would be told. Caps are counted for the answer, limits of rates are not asked. With `target`, ' +
      'acts on a member are judged for him; without it as far as they do not depend on whom. Acts on messages are judged for what would change ' +
      'something.',
  })
  @ApiOkResponse({ type: ExplainedAccessBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  explain(@Query() question: AccessQueryDto): Promise<ExplainedAccessBody> {
    return this.access.explain(question);
  }
}

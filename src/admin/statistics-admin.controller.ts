import { Controller, Get, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Audited } from '../audit/audited.js';
import { RequireScope } from '../auth/scopes.js';
import { ApiErrors } from '../errors/api-errors.js';
import { PeriodPageBody, StatisticsBody, StatisticsHistoryQueryDto } from './statistics-admin.dto.js';
import { StatisticsAdminService } from './statistics-admin.service.js';

@ApiTags('admin')
@ApiBearerAuth()
@Controller('v1/admin/statistics')
export class StatisticsAdminController {
  constructor(private readonly statistics: StatisticsAdminService) {}

  @Get()
  @Audited('statistics.read')
  @RequireScope('stats:read')
  @ApiOperation({ summary: 'How much there is now' })
  @ApiOkResponse({ type: StatisticsBody })
  @ApiErrors('unauthenticated', 'forbidden')
  now(): Promise<StatisticsBody> {
    return this.statistics.now();
  }

  @Get('history')
  @Audited('statistics.history')
  @RequireScope('stats:read')
  @ApiOperation({
    summary: 'How much there was, by hour or by day',
    description:
      'The newest period first, the one that is not over among them, and those in which nothing was; filled every 20 seconds from the logs. They begin ' +
      'with the release that brought them.',
  })
  @ApiOkResponse({ type: PeriodPageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  history(@Query() { cursor, limit, ...filter }: StatisticsHistoryQueryDto): Promise<PeriodPageBody> {
    return this.statistics.history(filter, { cursor, limit });
  }
}

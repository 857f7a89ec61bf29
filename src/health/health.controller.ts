import { Controller, Get, HttpStatus, Res } from '@nestjs/common';
import { ApiBadRequestResponse, ApiOkResponse, ApiOperation, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { Public } from '../auth/public.js';
import { ErrorBody } from '../errors/api-errors.js';
import { LivenessBody, ReadinessBody } from './health.dto.js';
import { HealthService } from './health.service.js';

@ApiTags('health')
@Public()
@ApiBadRequestResponse({ type: ErrorBody, description: '`validation_failed`' })
@Controller('health')
export class HealthController {
  constructor(private readonly health: HealthService) {}

  @Get('live')
  @ApiOperation({ summary: 'Is the process alive?', description: 'Asks nothing else: a server whose database is away is alive.' })
  @ApiOkResponse({ type: LivenessBody })
  live(): LivenessBody {
    return { status: 'up' };
  }

  @Get('ready')
  @ApiOperation({ summary: 'Can it serve?', description: 'Probes what the server needs; answers within a second.' })
  @ApiOkResponse({ type: ReadinessBody, description: '`ok`, or `degraded`: it serves.' })
  @ApiServiceUnavailableResponse({
    type: ReadinessBody,
    description: '`down`: the database is away, and `dependencies` says why; or the server is stopping.',
  })
  async ready(@Res({ passthrough: true }) response: Response): Promise<ReadinessBody> {
    const readiness = await this.health.readiness();
    response.status(readiness.status === 'down' ? HttpStatus.SERVICE_UNAVAILABLE : HttpStatus.OK);
    return readiness;
  }
}

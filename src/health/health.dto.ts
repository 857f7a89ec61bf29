import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

export type HealthStatus = 'up' | 'down';
export type ReadinessStatus = 'ok' | 'degraded' | 'down';

export class LivenessBody {
  @ApiProperty({ enum: ['up'], example: 'up' })
  status!: 'up';
}

export class DependencyBody {
  @ApiProperty({ enum: ['up', 'down'], example: 'up' })
  status!: HealthStatus;

  @ApiPropertyOptional({ description: 'When it is down: why, in words for the operator.', example: 'no answer within 1000 ms' })
  reason?: string;
}

export class DependenciesBody {
  @ApiProperty({ type: DependencyBody })
  database!: DependencyBody;

  @ApiPropertyOptional({
    type: DependencyBody,
    description: 'Whether what is published comes back, as a probe of each two seconds proves. Only with REDIS_URL.',
  })
  redis?: DependencyBody;
}

export class ReadinessBody {
  @ApiProperty({
    enum: ['ok', 'degraded', 'down'],
    description:
      '`degraded`: Redis does not deliver; all is served, and what happens at other instances is heard within two seconds. ' +
      '`down`: the database is away, or the server is stopping.',
    example: 'ok',
  })
  status!: ReadinessStatus;

  @ApiProperty({ type: DependenciesBody })
  dependencies!: DependenciesBody;
}

import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

export type HealthStatus = 'up' | 'down';

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
}

export class ReadinessBody {
  @ApiProperty({ enum: ['up', 'down'], description: '`down` also while the server is stopping.', example: 'up' })
  status!: HealthStatus;

  @ApiProperty({ type: DependenciesBody })
  dependencies!: DependenciesBody;
}

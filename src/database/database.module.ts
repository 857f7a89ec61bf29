import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { DataSourceOptions } from 'typeorm';
import { Config } from '../config/config.js';
import { TelemetryModule } from '../telemetry/telemetry.module.js';
import { openDataSource, serverDataSource } from './data-source.js';
import { Sql } from './sql.js';
import { Storm } from './storm.js';

/** PostgreSQL for the whole application: TypeORM's data source, with the entities that the modules register, and `Sql` on its pool. */
@Global()
@Module({
  imports: [
    TelemetryModule,
    TypeOrmModule.forRootAsync({
      inject: [Config],
      useFactory: (config: Config) => ({
        ...serverDataSource(config.databaseUrl, config.databasePool),
        autoLoadEntities: true,
        // The migrations have just run when the application is made: PostgreSQL was there.
        retryAttempts: 2,
        retryDelay: 1_000,
      }),
      dataSourceFactory: (options) => openDataSource(options as DataSourceOptions),
    }),
  ],
  providers: [Sql, Storm],
  exports: [Sql, Storm, TypeOrmModule],
})
export class DatabaseModule {}

import { Controller, Get, Query, StreamableFile } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags, getSchemaPath } from '@nestjs/swagger';
import { Readable } from 'node:stream';
import { AuditQuery, type AuditRecord } from '../audit/audit-query.js';
import { Audited } from '../audit/audited.js';
import { RequireScope } from '../auth/scopes.js';
import { ApiErrors } from '../errors/api-errors.js';
import { PageCursor } from '../rooms/page-cursor.js';
import { AuditEntryBody, AuditFilterDto, AuditPageBody, AuditQueryDto } from './audit-admin.dto.js';

@ApiTags('admin')
@ApiBearerAuth()
@Controller('v1/admin/audit')
export class AuditAdminController {
  constructor(private readonly audit: AuditQuery) {}

  @Get()
  @Audited('audit.read')
  @RequireScope('audit:read')
  @ApiOperation({ summary: 'Read the audit log', description: 'Newest first. Filters are joined by "and".' })
  @ApiOkResponse({ type: AuditPageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  async list(@Query() { cursor, limit, ...filters }: AuditQueryDto): Promise<AuditPageBody> {
    const cursors = new PageCursor('auditSeq', 'audit', JSON.stringify(filters));
    const before = cursors.read(cursor)?.[0] ?? null;
    const records = await this.audit.newest(filters, before, limit + 1);
    return cursors.page(
      records,
      limit,
      ({ seq }) => [seq],
      (record) => record,
    );
  }

  @Get('export')
  @Audited('audit.export')
  @RequireScope('audit:read')
  @ApiOperation({
    summary: 'Export the audit log',
    description: 'One JSON object a line, oldest first, all that there is at the beginning of the request.',
  })
  @ApiOkResponse({ content: { 'application/x-ndjson': { schema: { $ref: getSchemaPath(AuditEntryBody) } } } })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  async export(@Query() filters: AuditFilterDto): Promise<StreamableFile> {
    const records = this.audit.all(filters);
    const first = await records.next(); // fails before anything is answered
    // Returned and not written: the entry of this export comes before its first line. Who leaves ends the reading.
    return new StreamableFile(Readable.from(lines(first, records)), { type: 'application/x-ndjson; charset=utf-8' });
  }
}

async function* lines(first: IteratorResult<AuditRecord>, rest: AsyncGenerator<AuditRecord>): AsyncGenerator<string> {
  if (first.done === true) return;
  yield lineOf(first.value);
  for await (const record of rest) yield lineOf(record);
}

/** JSON escapes line breaks in values: an entry is one line. */
function lineOf(record: AuditRecord): string {
  return `${JSON.stringify(record)}\n`;
}

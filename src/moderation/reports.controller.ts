import { Body, Controller, Get, HttpCode, HttpStatus, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { Audited } from '../audit/audited.js';
import { CurrentUser } from '../auth/current-user.js';
import type { Principal } from '../auth/principal.js';
import { RequireScope } from '../auth/scopes.js';
import { ApiErrors } from '../errors/api-errors.js';
import { MessageParams } from '../messaging/message.dto.js';
import { RoomParams } from '../rooms/room.params.js';
import {
  NewReportDto,
  ReportBody,
  ReportedUserParams,
  ReportPageBody,
  ReportParams,
  ReportQueryDto,
  ResolutionDto,
  RoomReportParams,
  RoomReportQueryDto,
} from './reports.dto.js';
import { Reports } from './reports.service.js';

@ApiTags('reports')
@ApiBearerAuth()
@Controller('v1')
export class ReportsController {
  constructor(private readonly reports: Reports) {}

  @Post('rooms/:room/messages/:seq/reports')
  @ApiOperation({
    summary: 'Report a message',
    description: 'For who may read it. While nobody has decided, reporting it again is the same report. At most 30 an hour.',
  })
  @ApiCreatedResponse({ type: ReportBody })
  @ApiOkResponse({ type: ReportBody, description: 'You have reported it already.' })
  @ApiErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'forbidden', 'not_found')
  async reportMessage(
    @CurrentUser() { userId }: Principal,
    @Param() { room, seq }: MessageParams,
    @Body() complaint: NewReportDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ReportBody> {
    const { report, created } = await this.reports.reportMessage(userId, { room, seq }, complaint);
    if (!created) response.status(HttpStatus.OK);
    return report;
  }

  @Post('users/:user/reports')
  @ApiOperation({ summary: 'Report a user', description: 'As for a message; the user must be one whom the server has seen.' })
  @ApiCreatedResponse({ type: ReportBody })
  @ApiOkResponse({ type: ReportBody, description: 'You have reported him already.' })
  @ApiErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'not_found')
  async reportUser(
    @CurrentUser() { userId }: Principal,
    @Param() { user }: ReportedUserParams,
    @Body() complaint: NewReportDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ReportBody> {
    const { report, created } = await this.reports.reportUser(userId, user, complaint);
    if (!created) response.status(HttpStatus.OK);
    return report;
  }

  @Get('rooms/:room/reports')
  @ApiOperation({
    summary: 'Reports of messages of a room',
    description: 'Oldest first; for owners and moderators. Nobody is shown what was reported of himself.',
  })
  @ApiOkResponse({ type: ReportPageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  ofRoom(
    @CurrentUser() { userId }: Principal,
    @Param() { room }: RoomParams,
    @Query() { status, cursor, limit }: RoomReportQueryDto,
  ): Promise<ReportPageBody> {
    return this.reports.listOfRoom(userId, room, status, { cursor, limit });
  }

  @Post('rooms/:room/reports/:report/resolve')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Decide a report of a message of a room',
    description:
      'For owners and moderators, who decide by what they may do themselves: moderators about members only, and nobody about himself. The act, a mute or a ban being one in the room, and the closing of the ' +
      'report and of all others of the message are one. The same decision again changes nothing; `conflict` when it was another, or has an `until` and is neither mute nor ban.',
  })
  @ApiOkResponse({ type: ReportBody })
  @ApiErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'forbidden', 'not_found', 'conflict')
  resolveInRoom(
    @CurrentUser() { userId: by }: Principal,
    @Param() { room, report }: RoomReportParams,
    @Body() resolution: ResolutionDto,
  ): Promise<ReportBody> {
    return this.reports.resolveInRoom(room, report, { ...resolution, by });
  }

  @Get('admin/reports')
  @Audited('report.list')
  @RequireScope('reports:read')
  @ApiOperation({ summary: 'The queue of reports', description: 'Oldest first, without those about the caller.' })
  @ApiOkResponse({ type: ReportPageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  all(@CurrentUser() { userId }: Principal, @Query() { cursor, limit, ...filter }: ReportQueryDto): Promise<ReportPageBody> {
    return this.reports.listAll(userId, filter, { cursor, limit });
  }

  @Post('admin/reports/:report/resolve')
  @Audited('report.resolve')
  @RequireScope('reports:write')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Decide a report',
    description:
      'A mute or a ban is one on the whole server. All open reports of the same thing are closed with it, and what a room’s moderators decided is ' +
      'decided anew: to dismiss it lifts the mute or the ban in the room that they decided, unless it was set anew since, and any other decision leaves that as it is; a message that they removed is brought back by ' +
      '`…/restore` alone. The same decision again changes nothing, also where its act was undone since; `conflict` when an administrator made another, a user is to be removed, or what is neither mute nor ban has an `until`. ' +
      'A key needs the scope of what is decided too: `messages:write` to remove, `users:write` to mute or ban, `rooms:write` to dismiss what a room decided as a mute or a ban.',
  })
  @ApiOkResponse({ type: ReportBody })
  @ApiErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'forbidden', 'not_found', 'conflict')
  resolve(@CurrentUser() caller: Principal, @Param() { report }: ReportParams, @Body() resolution: ResolutionDto): Promise<ReportBody> {
    return this.reports.resolve(caller, report, resolution);
  }
}

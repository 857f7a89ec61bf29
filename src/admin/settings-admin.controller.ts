import { Controller, Get } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiProperty, ApiTags } from '@nestjs/swagger';
import { Audited } from '../audit/audited.js';
import { RequireScope } from '../auth/scopes.js';
import { Config } from '../config/config.js';
import { type ShownSetting, shownSettings } from '../config/shown-settings.js';
import { ApiErrors } from '../errors/api-errors.js';

export class SettingBody implements ShownSetting {
  @ApiProperty({ example: 'PORT' })
  name!: string;

  @ApiProperty({ type: String, nullable: true, description: 'Null when there is none, and of a secret.', example: '3000' })
  value!: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'Null when there is none.', example: '3000' })
  default!: string | null;

  @ApiProperty({ description: 'Whether the value is another than the default: set, or found or made at start.', example: false })
  isSet!: boolean;

  @ApiProperty({ description: 'Whether the value is never shown.', example: false })
  isSecret!: boolean;

  @ApiProperty({ example: 'TCP port of HTTP and WebSocket; 0 takes a free one.' })
  description!: string;
}

export class SettingListBody {
  @ApiProperty({ type: [SettingBody] })
  items!: ShownSetting[];

  @ApiProperty({ type: String, nullable: true, description: 'Always null: the list is whole.', example: null })
  nextCursor!: null;
}

@ApiTags('admin')
@ApiBearerAuth()
@Controller('v1/admin/settings')
export class SettingsAdminController {
  constructor(private readonly config: Config) {}

  @Get()
  @Audited('settings.read')
  @RequireScope('settings:read')
  @ApiOperation({
    summary: 'What this instance runs with',
    description: 'Every setting; secrets, and the users and passwords in URLs, are left out.',
  })
  @ApiOkResponse({ type: SettingListBody })
  @ApiErrors('unauthenticated', 'forbidden')
  list(): SettingListBody {
    return { items: shownSettings(this.config), nextCursor: null };
  }
}

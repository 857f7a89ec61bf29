import type { OpenAPIObject } from '@nestjs/swagger';

/** Adds to each operation that asks for a scope what its caller needs: a backend's author reads it there, and nobody has to write it twice. */
export function describeScopes({ paths }: OpenAPIObject): void {
  for (const { get, post, put, patch, delete: remove } of Object.values(paths)) {
    for (const operation of [get, post, put, patch, remove]) {
      const scope = (operation as { 'x-scope'?: string } | undefined)?.['x-scope'];
      if (scope === undefined) continue;
      const needs = `Needs the role \`admin\` or the scope \`${scope}\`.`;
      operation!.description = operation!.description ? `${operation!.description} ${needs}` : needs;
    }
  }
}

/** Why a refresh was refused, for the audit log: the token had been used before, so that somebody else may have it. The caller is not told. */
export class RefreshTokenReuse extends Error {
  override readonly name = 'RefreshTokenReuse';

  constructor(readonly session: { readonly user: string; readonly session: string }) {
    super('The refresh token was used before.');
  }
}

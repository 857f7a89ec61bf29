import dotenv from 'dotenv';

/** The process's environment over what `.env` in the working folder says, if it is there. The only reader of process.env. */
export function readEnvironment(): Record<string, string | undefined> {
  const file: Record<string, string> = {};
  dotenv.config({ quiet: true, processEnv: file });
  // An empty value is none, and hides none: so says every page.
  return { ...file, ...Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== '')) };
}

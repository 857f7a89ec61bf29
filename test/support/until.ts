/** Waits until the condition holds, looking every few milliseconds. @throws when it does not hold in time */
export async function until(condition: () => unknown, what: string, patienceMs = 10_000): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`in ${patienceMs} ms it did not come to this: ${what}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

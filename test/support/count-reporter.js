/** Prints one plain line at the very end: how many tests passed and failed. A suite that could not run counts as a failed test. */
export default class CountReporter {
  onRunComplete(_contexts, results) {
    process.stdout.write(`${results.numPassedTests} passed, ${results.numFailedTests + results.numRuntimeErrorTestSuites} failed\n`);
  }
}

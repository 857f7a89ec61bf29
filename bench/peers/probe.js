// Loaded into every measured server: collects garbage when the bench asks, so that memory is what is held and not what is left lying,
// and ends the server when the bench is gone. Costs nothing meanwhile.
process.on('message', (question) => {
  if (question !== 'collect') return;
  for (let i = 0; i < 3; i++) globalThis.gc();
  process.send({ answer: question, value: process.memoryUsage() });
});
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel.unref();

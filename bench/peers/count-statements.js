// Loaded into Parley: counts the statements that its connections to PostgreSQL are given, whoever gives them.
import pg from 'pg';

let statements = 0;
const { query } = pg.Client.prototype;
pg.Client.prototype.query = function (...args) {
  statements++;
  return query.apply(this, args);
};
process.on('message', (question) => {
  if (question === 'statements') process.send({ answer: question, value: statements });
});
process.channel.unref();

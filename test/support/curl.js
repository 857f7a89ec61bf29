// Stands in for curl on a machine that has none: the options that README.md and the start-up lines use (-s, -H and -d), by fetch. Any other fails.
const headers = new Headers();
let url, body;
for (const words = process.argv.slice(2); words.length > 0;) {
  const word = words.shift();
  if (word === '-H') headers.append(...words.shift().split(/: (.*)/s, 2));
  else if (word === '-d') body = words.shift();
  else if (!word.startsWith('-') && url === undefined) url = word;
  else if (word !== '-s') throw new Error(`this curl does not know ${word}`);
}
const response = await fetch(url, { method: body === undefined ? 'GET' : 'POST', headers, body });
process.stdout.write(await response.text());

// Prints what Clerk's own SDK says of generated inputs, one JSON object a line, after a first line with the
// keys. What is generated stands in a file for each category.
//   node main.mjs FOLDER CATEGORY SEED COUNT     FOLDER has @clerk/backend in its node_modules
import { World } from './world.mjs';

const [folder, category, seed, count] = process.argv.slice(2);
const { inputs } = await import(`./${category}.mjs`);
const world = await World.create(folder, Number(seed));
try {
  const lines = [JSON.stringify(world.keys())];
  for await (const line of inputs(world, Number(count))) {
    lines.push(JSON.stringify(line));
  }
  process.stdout.write(`${lines.join('\n')}\n`);
} finally {
  world.close();
}

// Reads CAP documents with @dec112/cap-ts; files on the command line. Prints one line of JSON a document.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { CAP_1_2 } = createRequire(`${process.env.GWBANK_TEST_CLIENTS}/node/`)("@dec112/cap-ts");
for (const name of process.argv.slice(2)) {
  const alert = await CAP_1_2.Alert.fromXML(readFileSync(name, "utf8"));
  console.log(JSON.stringify({ identifier: alert.identifier, infos: alert.info_list.length }));
}

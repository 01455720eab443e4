// What a release says that it is made of.
import t from "tap";
import { cargoPackages, linkedCrates, npmPackages } from "../../../scripts/releasing/ingredients.ts";
import { sbom } from "../../../scripts/releasing/sbom.ts";

t.test("the bill lists only the npm packages in a bundle", async (t) => {
  const sources = ["lib/cni/json.ts", "node_modules/zod/v4/a.js", "node_modules/zod/v4/b.js", "node_modules/@a/b/c.js"];
  const lock = {
    packages: {
      "node_modules/zod": { version: "4.0.1", license: "MIT", integrity: "sha512-AQL/" },
      "node_modules/@a/b": { version: "1.0.0" },
      "node_modules/tap": { version: "1.2.3", license: "ISC" },
    },
  };
  t.same(npmPackages(sources, lock), [
    {
      name: "zod",
      version: "4.0.1",
      license: "MIT",
      purl: "pkg:npm/zod@4.0.1",
      hash: { alg: "SHA-512", content: "0102ff" },
    },
    { name: "@a/b", version: "1.0.0", license: "NOASSERTION", purl: "pkg:npm/%40a/b@1.0.0" },
  ]);
  t.throws(() => npmPackages(["node_modules/left-pad/index.js"], lock), {
    message: /^left-pad: is bundled, and not in/,
  });
});

t.test("the crates are those of cargo's tree, once each, with the lock file's checksums", async (t) => {
  const tree = "host v0.1.0 (/somewhere/host)\nlibc v0.2.1\nrustix v1.1.6\nlibc v0.2.1\nbitflags v2.0.0 (*)\n";
  t.same(linkedCrates(tree), ["libc@0.2.1", "rustix@1.1.6", "bitflags@2.0.0"]);
  const lock = `[[package]]
name = "host"
version = "0.1.0"
dependencies = [
 "libc",
]

[[package]]
name = "libc"
version = "0.2.1"
source = "registry+index"
checksum = "abc"
`;
  const crate = { name: "libc", version: "0.2.1", license: "MIT/Apache-2.0", manifest_path: "" };
  t.same(cargoPackages([crate], lock), [
    {
      name: "libc",
      version: "0.2.1",
      license: "MIT OR Apache-2.0",
      purl: "pkg:cargo/libc@0.2.1",
      hash: { alg: "SHA-256", content: "abc" },
    },
  ]);
});

t.test("a bill of materials has no time and no serial number", async (t) => {
  const document = sbom(
    [{ name: "a", version: "1", license: "MIT", purl: "pkg:npm/a@1" }],
    new Map([["amd64/x", "00"]]),
  );
  t.same(Object.keys(document), ["bomFormat", "specVersion", "version", "metadata", "components", "dependencies"]);
  t.match(document, {
    metadata: { component: { components: [{ name: "amd64/x", hashes: [{ alg: "SHA-256", content: "00" }] }] } },
    components: [{ "bom-ref": "pkg:npm/a@1", licenses: [{ expression: "MIT" }] }],
    dependencies: [{ dependsOn: ["pkg:npm/a@1"] }],
  });
  t.notMatch(JSON.stringify(document), /timestamp|serialNumber/);
});

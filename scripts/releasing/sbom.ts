// A software bill of materials: CycloneDX 1.5 as JSON, without anything that would differ from one
// build of the same sources to the next (times, serial numbers).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../building/bundle.ts";
import type { Ingredient } from "./ingredients.ts";

/**
 * What the executables, whose SHA-256 are given by path (`linux-amd64/bridge-binding`), are made
 * of.
 */
export function sbom(ingredients: readonly Ingredient[], executables: ReadonlyMap<string, string>): object {
  const { name, version, license, description } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const self = `pkg:generic/${name}@${version}`;
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": self,
        ...{ name, version, description },
        licenses: [{ expression: license }],
        purl: self,
        components: [...executables].map(([file, content]) => ({
          type: "file",
          "bom-ref": file,
          name: file,
          version,
          hashes: [{ alg: "SHA-256", content }],
        })),
      },
    },
    components: ingredients.map(({ name, version, license, purl, hash }) => ({
      type: "library",
      "bom-ref": purl,
      ...{ name, version },
      ...(hash && { hashes: [hash] }),
      licenses: license === "NOASSERTION" ? [] : [{ expression: license }],
      purl,
    })),
    dependencies: [{ ref: self, dependsOn: ingredients.map(({ purl }) => purl) }],
  };
}

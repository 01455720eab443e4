// Creates a software bill of materials: CycloneDX 1.5 as JSON.
//
// It has no times or serial numbers, so that two builds of the same sources have the same document.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../building/bundle.ts";
import type { Ingredient } from "./ingredients.ts";

/**
 * Returns the components of the executables.
 *
 * `executables` has the SHA-256 of each executable by its path, such as
 * `linux-amd64/bridge-binding`.
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

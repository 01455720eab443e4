// Shows a state for comparison, without the order in which the kernel lists objects.
import type { State } from "../../../lib/plan/state.ts";

export function picture({ links, sysctls }: State): unknown {
  return {
    links: [...links]
      .sort((one, other) => one.name.localeCompare(other.name))
      .map(({ addresses, routes, neighbors, ...link }) => ({
        ...Object.fromEntries(Object.entries(link).sort()),
        addresses: addresses.map(sortedJson).sort(),
        routes: routes.map(sortedJson).sort(),
        neighbors: neighbors.map(sortedJson).sort(),
      })),
    sysctls,
  };
}

/** Returns JSON with the fields of each object in order. */
function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort())
      : inner,
  );
}

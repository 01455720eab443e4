// Checks the shape of decoded JSON by plain functions: a record is checked at every call, and a
// schema library needs longer to build its schema than this needs to check it.

/** Returns what is wrong with a value, such as `.mtu is "x", expected a number`. */
export type Shape = (value: unknown) => string | undefined;

/** A shape for each field of `T`: a new field does not compile until it has one. */
export type Shapes<T> = { readonly [K in keyof Required<T>]: Shape };

/** A fault of the value itself, without a path. */
function fault(value: unknown, expected: string): string {
  return ` is ${value === undefined ? "missing" : excerpt(value)}, expected ${expected}`;
}

function excerpt(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** A value that passes a test. */
export function of(is: (value: unknown) => boolean, expected: string): Shape {
  return (value) => (is(value) ? undefined : fault(value, expected));
}

export const text: Shape = of((value) => typeof value === "string", "text");
export const count: Shape = of((value) => Number.isSafeInteger(value) && (value as number) >= 0, "a whole number");
export const time: Shape = of((value) => typeof value === "number" && Number.isFinite(value), "a number");
export const flag: Shape = of((value) => typeof value === "boolean", "true or false");

/** Text that matches. */
export function matching(pattern: RegExp, expected: string): Shape {
  return of((value) => typeof value === "string" && pattern.test(value), expected);
}

/** Exactly one of these words. */
export function word(...words: readonly string[]): Shape {
  return of((value) => words.includes(value as string), words.map((one) => JSON.stringify(one)).join(" or "));
}

/** A field that may be absent. */
export function optional(shape: Shape): Shape {
  return (value) => (value === undefined ? undefined : shape(value));
}

export function listOf(shape: Shape): Shape {
  return (value) => {
    if (!Array.isArray(value)) return fault(value, "a list");
    for (let position = 0; position < value.length; position++) {
      const found = shape(value[position]);
      if (found !== undefined) return `[${position}]${found}`;
    }
    return;
  };
}

/** An object with any fields whose names and values have these shapes. */
export function mapOf(name: Shape, of: Shape): Shape {
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return fault(value, "an object");
    for (const [key, one] of Object.entries(value)) {
      const found = name(key) ?? of(one);
      if (found !== undefined) return `[${JSON.stringify(key)}]${found}`;
    }
    return;
  };
}

/** An object with these fields and no others. */
export function fields(shapes: Readonly<Record<string, Shape>>): Shape {
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return fault(value, "an object");
    const object = value as Readonly<Record<string, unknown>>;
    for (const name in shapes) {
      const found = shapes[name]!(object[name]);
      if (found !== undefined) return `.${name}${found}`;
    }
    for (const name in object)
      if (!Object.hasOwn(shapes, name)) return `.${name} is a field that this version does not know`;
    return;
  };
}

/** An object whose field `name` selects the shape of the object. */
export function variants(name: string, shapes: Readonly<Record<string, Shape>>): Shape {
  return (value) => {
    const selector = (value as Readonly<Record<string, unknown>> | null | undefined)?.[name];
    const shape = typeof selector === "string" && Object.hasOwn(shapes, selector) ? shapes[selector] : undefined;
    return shape === undefined ? `.${name}${fault(selector, Object.keys(shapes).join(" or "))}` : shape(value);
  };
}

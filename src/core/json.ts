/** A value that survives `JSON.stringify` and `JSON.parse` unchanged. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject

/** A JSON object. Foreign objects enter through `wire/json.ts`, which bounds their depth. */
export interface JsonObject {
  readonly [key: string]: JsonValue
}

/** A JSON Schema (2020-12) of type `object`, as tools declare their input. */
export type JsonSchema = JsonObject

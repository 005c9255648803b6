// What a file may have for an option, in JSON Schema.

/**
 * The part of JSON Schema that describes values of options. It is for editors, and says which JSON types there may be;
 * `read` has the last word on texts.
 */
export interface Schema {
  readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object';
  readonly enum?: readonly (string | boolean)[];
  readonly const?: string;
  readonly anyOf?: readonly Schema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly minItems?: number;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
}

/** Of a list: one text, with commas in it, or its entries. */
export const LIST_SCHEMA: Schema = {
  anyOf: [
    { type: 'string', minLength: 1 },
    { type: 'array', minItems: 1, items: { type: 'string' } },
  ],
};

/** Of texts by name. */
export const TEXTS_SCHEMA: Schema = {
  anyOf: [
    { type: 'object', additionalProperties: { type: 'string' } },
    { type: 'array', items: { type: 'string' } },
  ],
};

/** Of a number of the smallest unit, or a text with another one. */
export function numberOrText(minimum: number, maximum: number, pattern: string): Schema {
  return {
    anyOf: [
      { type: 'integer', minimum, maximum },
      { type: 'string', pattern },
    ],
  };
}

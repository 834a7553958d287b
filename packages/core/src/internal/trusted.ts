/**
 * Instances of a schema's class from fields that are known to be good.
 *
 * The class's own constructor has the schema walk its fields even with `disableChecks`, which costs more than everything
 * else that a relay does with a message; see docs/decisions/0019. Only for values that are made many times a second.
 */
import type * as Schema from "effect/Schema"

/** Makes instances without looking at what they are made of: `fields` must be whole, the tag included. */
export const trusted =
  <Fields extends Schema.Struct.Fields, A extends object>(
    constructor: (abstract new (...args: never) => A) & { readonly fields: Fields }
  ) =>
  (fields: Schema.Struct.Type<Fields>): A =>
    Object.assign(Object.create(constructor.prototype) as A, fields)

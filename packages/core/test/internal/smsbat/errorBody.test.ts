import { assert, describe, it } from "@effect/vitest"
import * as errorBody from "../../../src/internal/smsbat/errorBody.ts"
import { variants } from "../../support/mutate.ts"

const shapes: Record<string, readonly [string, errorBody.ErrorBody]> = {
  "A: error object with a field": [
    '{"error":{"code":"INVALID_PHONE","message":"Invalid phone number format","field":"toPhone"}}',
    { code: "INVALID_PHONE", field: "toPhone" }
  ],
  "B: error object": [
    '{"error":{"code":"INVALID_RECIPIENT","message":"Invalid phone number format"}}',
    { code: "INVALID_RECIPIENT" }
  ],
  "C: error text and a number": [
    '{"status":400,"error":"Bad Request","message":"Missing required field: \'messages\'","code":1001}',
    { code: "1001" }
  ],
  "D: error text": [
    '{"error":"Too Many Requests","message":"Rate limit exceeded. Please wait.","status":429}',
    {}
  ],
  "problem details": [
    '{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.1","title":"One or more validation errors occurred.","status":400,"errors":{"[0].toPhone":["The field toPhone is invalid."]},"traceId":"00-1-2-00"}',
    { field: "toPhone" }
  ],
  "problem details of a JSON path": ['{"errors":{"$[12].ttl":["x"]}}', { field: "ttl" }],
  "problem details of a plain name": ['{"errors":{"fromName":["x"]}}', { field: "fromName" }],
  "problem details about nothing, then about something": [
    '{"errors":{"":["A non-empty request body is required."],"messages":["x"]}}',
    { field: "messages" }
  ],
  "problem details about the whole body": ['{"errors":{"$":["x"]}}', {}],
  "problem details about an element": ['{"errors":{"[0]":["x"]}}', {}],
  "a field at the top": ['{"code":"BAD","field":"text"}', { code: "BAD", field: "text" }],
  html: ["<html><body><h1>502 Bad Gateway</h1></body></html>", {}],
  empty: ["", {}],
  truncated: ['{"error":{"code":"INVALID_PH', {}],
  "a byte order mark in front": ['\ufeff{"error":{"code":"X"}}', {}],
  null: ["null", {}],
  array: ['[{"error":{"code":"X"}}]', {}],
  number: ["7", {}],
  "an error that is an array": ['{"error":[{"code":"X"}]}', {}],
  "errors that are an array": ['{"errors":["toPhone"]}', {}]
}

describe("parse", () => {
  for (const [name, [body, expected]] of Object.entries(shapes)) {
    it(name, () => assert.deepStrictEqual(errorBody.parse(body), expected))
  }

  const kept = [
    "INVALID_PHONE",
    "invalid-phone",
    "a.b_c-d",
    "E",
    `E${"x".repeat(63)}`,
    "1001",
    1001,
    0,
    "000042"
  ]
  for (const code of kept) {
    it(`keeps ${JSON.stringify(code)}`, () =>
      assert.deepStrictEqual(errorBody.parse(JSON.stringify({ code })), { code: String(code) }))
  }

  const dropped = [
    "",
    "Invalid phone",
    "Ваш",
    "+380671112233",
    "380671112233",
    1234567,
    -1,
    1.5,
    1e21,
    "INVALID_PHONE_380671112233",
    "x3806711x",
    "E".repeat(65),
    "_x",
    "a\nb",
    "a@b",
    true,
    null,
    {},
    ["X"]
  ]
  for (const code of dropped) {
    it(`drops ${JSON.stringify(code)}`, () =>
      assert.deepStrictEqual(errorBody.parse(JSON.stringify({ error: { code, field: code } })), {}))
  }

  it("reads own members only", () => {
    assert.deepStrictEqual(errorBody.parse('{"__proto__":{"code":"X","error":{"code":"Y"}}}'), {})
    assert.deepStrictEqual(errorBody.parse('{"error":{"__proto__":{"code":"X"}}}'), {})
  })

  it("survives any depth", () => {
    assert.deepStrictEqual(errorBody.parse('{"error":'.repeat(200_000)), {})
    assert.deepStrictEqual(
      errorBody.parse(`{"code":"X","error":${"[".repeat(200_000)}${"]".repeat(200_000)}}`),
      {
        code: "X"
      }
    )
    assert.deepStrictEqual(errorBody.parse(JSON.stringify({ errors: { ["a.".repeat(100_000)]: [] } })), {})
  })

  it("gives identifiers or nothing for 6,000 mutated bodies", () => {
    const seeds = Object.values(shapes).map(([body]) => body)
    let found = 0
    for (const body of variants(seeds, 300, 11)) {
      for (const value of Object.values(errorBody.parse(body))) {
        found++
        assert.match(String(value), /^(?:[A-Za-z][A-Za-z0-9_.-]{0,63}|\d{1,6})$/u)
        assert.notMatch(String(value), /\d{7}/u)
      }
    }
    assert.isAbove(found, 100)
  })
})

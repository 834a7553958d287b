import { assert, describe, it } from "@effect/vitest"
import { group } from "../../../src/internal/relay/batch.ts"
import { claimed } from "../../support/claimed.ts"
import { transaction } from "../../support/messages.ts"

const row = (id: string, more?: Parameters<typeof claimed>[1]) => claimed(transaction(id), more)

const shape = (batches: ReturnType<typeof group>) =>
  batches.map(({ account, lane, rows }) => [lane, account, rows.map(({ trackingId }) => trackingId)])

describe("group", () => {
  it("keeps lanes and policies apart, and the order within each", () => {
    const batches = group(
      [
        row("a1"),
        row("b1", { lane: "other/low" }),
        row("a2", { uncertainty: "hold" }),
        row("a3"),
        row("b2", { lane: "other/low" }),
        row("a4", { uncertainty: "hold" })
      ],
      { size: () => 100, claimedAt: 0n, leaseEnd: 1n }
    )
    assert.deepStrictEqual(shape(batches), [
      ["default/high", "default", ["a1", "a3"]],
      ["other/low", "other", ["b1", "b2"]],
      ["default/high", "default", ["a2", "a4"]]
    ])
  })

  it("keeps what its relays died with apart from what nobody has tried", () => {
    const lapsed = { lapsed: true, lapses: 1 }
    const batches = group(
      [row("a1", lapsed), row("b1"), row("a2", { lapses: 1 }), row("b2"), row("a3", lapsed)],
      { size: () => 100, claimedAt: 0n, leaseEnd: 1n }
    )
    assert.deepStrictEqual(
      batches.map(({ rows }) => rows.map(({ trackingId }) => trackingId)),
      [
        ["a1", "a2", "a3"],
        ["b1", "b2"]
      ]
    )
  })

  it("makes no batch larger than its lane takes", () => {
    const rows = ["1", "2", "3", "4", "5"].map((id) => row(id))
    const batches = group(rows, {
      size: (lane) => (lane === "default/high" ? 2 : 100),
      claimedAt: 0n,
      leaseEnd: 1n
    })
    assert.deepStrictEqual(
      batches.map((batch) => batch.rows.length),
      [2, 2, 1]
    )
  })

  it("goes by the lane where the row says otherwise, or nothing", () => {
    const batches = group([row("a", { account: "", lane: "tenant/high", payload: null })], {
      size: () => 1,
      claimedAt: 0n,
      leaseEnd: 1n
    })
    assert.deepStrictEqual(shape(batches), [["tenant/high", "tenant", ["a"]]])
  })
})

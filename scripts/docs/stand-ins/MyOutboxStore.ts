import type { OutboxStore } from "@effect-cascade/outbox"
import type { Layer } from "effect"

export declare const MyOutboxStore: { readonly layer: Layer.Layer<OutboxStore.OutboxStore> }

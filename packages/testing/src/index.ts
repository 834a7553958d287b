/**
 * What the tests of a service need: fakes, assertions, an emulated provider, throw-away databases and faults.
 *
 * @module @effect-cascade/testing
 */
export * as EmulatorFault from "./EmulatorFault.ts"
export * as EmulatorLedger from "./EmulatorLedger.ts"
export * as EmulatorOptions from "./EmulatorOptions.ts"
export * as EnqueuedMessages from "./EnqueuedMessages.ts"
export * as FakeCascade from "./FakeCascade.ts"
export * as FaultProxy from "./FaultProxy.ts"
export * as MemoryOutboxStore from "./MemoryOutboxStore.ts"
export * as MessageArbitrary from "./MessageArbitrary.ts"
export * as OutboxAssert from "./OutboxAssert.ts"
export * as SmsBatEmulator from "./SmsBatEmulator.ts"
export * as TestOutbox from "./TestOutbox.ts"
export * as Toxic from "./Toxic.ts"

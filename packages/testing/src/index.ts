export * as EmulatorFault from "./EmulatorFault.ts"
export * as EmulatorLedger from "./EmulatorLedger.ts"
export * as EmulatorOptions from "./EmulatorOptions.ts"
export * as SmsBatEmulator from "./SmsBatEmulator.ts"

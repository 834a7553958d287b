import { portion } from "./portion.ts"

portion(0)

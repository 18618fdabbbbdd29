/** What the compiler does not see: promises that nobody awaits, needless conditions, conversions to text that lie. */

import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["build/**", "dist/**", "docs/**", "tools/**", "src/gen/**", "src/tables.ts", "src/cli/contract.ts"] },
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { project: "./tsconfig.json", tsconfigRootDir: process.cwd() } },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/explicit-module-boundary-types": "error",
      // An empty text means none, in the contract too.
      "@typescript-eslint/prefer-nullish-coalescing": ["error", { ignorePrimitives: { string: true } }],
      // The enums of protobuf are open: any number may come.
      "@typescript-eslint/no-unsafe-enum-assignment": "off",
      "@typescript-eslint/no-unsafe-enum-comparison": "off",
      // Whoever looks something up by its name says what it is.
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
      // Numbers and bigints are written as they are.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      // `tags["x"]` of an index signature: the compiler wants it so.
      "@typescript-eslint/dot-notation": "off",
    },
  },
  {
    files: ["test/**"],
    rules: {
      // node:test takes care of the promises of its tests.
      "@typescript-eslint/no-floating-promises": [
        "error",
        { allowForKnownSafeCalls: [{ from: "package", name: ["test"], package: "node:test" }] },
      ],
    },
  },
);

import js from '@eslint/js'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

const node = { process: 'readonly', console: 'readonly', Buffer: 'readonly', URL: 'readonly' }

export default defineConfig(
  globalIgnores(['dist/', 'lib/', 'coverage/', 'node_modules/', '.tools/']),
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ['tsconfig.json', '__tests__/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname
      }
    },
    rules: {
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true }
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      eqeqeq: 'error'
    }
  },
  {
    files: ['src/core/**', 'src/engine/**'],
    rules: {
      'no-restricted-globals': ['error', 'process', 'console'],
      'no-restricted-imports': [
        'error',
        { patterns: ['node:fs*', 'node:process', 'node:child_process', 'ssh2', '@actions/*'] }
      ]
    }
  },
  {
    files: ['src/adapters/**'],
    rules: { 'no-restricted-globals': ['error', 'console'] }
  },
  { files: ['**/*.js', '**/*.mjs'], languageOptions: { globals: node } }
)

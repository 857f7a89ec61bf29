import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

// What is checked here are mistakes that the compiler lets pass. The format is prettier's, the law of imports is dependency-cruiser's.
export default defineConfig(
  { ignores: ['dist/', 'data/', 'coverage/', 'node_modules/'] },
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      'no-constant-binary-expression': 'error',
      'no-self-compare': 'error',
      'no-template-curly-in-string': 'error',
      'no-var': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      // Knows decorated classes: with emitDecoratorMetadata, what a constructor asks for must be there at run time.
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-non-null-assertion': 'off',
      // An implementation may be async only to keep the promise of its contract.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/**/*.spec.ts'],
    rules: {
      'max-lines': ['error', { max: 300 }],
      'max-lines-per-function': ['error', { max: 60 }],
      'no-restricted-properties': ['error', { object: 'process', property: 'env', message: 'Settings come from Config (src/config).' }],
      'no-restricted-imports': [
        'error',
        {
          paths: [
            { name: 'process', importNames: ['env'], message: 'Settings come from Config (src/config).' },
            { name: 'node:process', importNames: ['env'], message: 'Settings come from Config (src/config).' },
            { name: '@nestjs/common', importNames: ['forwardRef'], message: 'A cycle is a mistake in the design.' },
          ],
        },
      ],
    },
  },
  { files: ['src/config/environment.ts'], rules: { 'no-restricted-properties': 'off' } },
  {
    files: ['src/**/*.spec.ts', 'test/**/*.ts'],
    rules: {
      // Answers of servers and results of JSON.parse are any here: the assertions are the types.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
      // What a page says that tests show is not shown by one that does not run. Where a machine cannot run it: (can ? it : it.skip)(…).
      'no-restricted-syntax': [
        'error',
        ...[
          ':not(ConditionalExpression) > MemberExpression[object.name=/^(it|test|describe)$/][property.name="skip"]',
          'MemberExpression[object.name=/^(it|test|describe)$/][property.name=/^(only|todo|failing)$/]',
          ':not(ImportSpecifier) > Identifier[name=/^([xf](it|describe)|xtest)$/]',
        ].map((selector) => ({ selector, message: 'A test that is there runs.' })),
      ],
    },
  },
  { files: ['bench/**/*', 'scripts/**/*', 'test/**/*.js'], rules: { 'no-console': 'off' } },
);

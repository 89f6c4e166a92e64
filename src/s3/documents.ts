export * from './backend-documents.ts';
export * from './document-types.ts';
export * from './request-documents.ts';
export * from './response-documents.ts';

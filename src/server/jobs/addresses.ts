// Where a job's pictures lie, as paths of the server.

const jobAddress = (id: string) => `/api/v1/jobs/${encodeURIComponent(id)}`;

export const previewAddress = (id: string, step: number): string => `${jobAddress(id)}/steps/${step}/preview`;
export const pictureAddress = (id: string, name: string): string => `${jobAddress(id)}/pictures/${name}`;

/** The address of a file that the build makes into the script of a shared worker. */
declare module '*?sharedworker&url' {
  const url: string
  // oxlint-disable-next-line import/no-default-export
  export default url
}

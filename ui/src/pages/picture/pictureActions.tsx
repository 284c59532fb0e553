import { Button, SimpleGrid } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { IconFileCheck, IconRefresh, IconThumbDown, IconTrash, IconWand } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link } from "wouter";
import type { LibraryPicture } from "../../../../src/server/api/library.ts";
import { api } from "../../api.ts";
import { isAlive } from "../../components/jobsButton.tsx";
import { sayError } from "../../components/toasts.tsx";
import { useJob, useServerEvent } from "../../socket.ts";
import { type Change, changePictures } from "../library/actions.tsx";
import type { Neighbours } from "./neighbours.ts";
import classes from "./picturePage.module.css";

export interface PictureActionsProps {
  readonly picture: LibraryPicture;
  readonly neighbours: Neighbours;
  /** Told the picture's id while it is on its way out, and nothing should it stay. */
  readonly onLeaving: (id: string | undefined) => void;
}

export function PictureActions({ picture, neighbours, onLeaving }: PictureActionsProps) {
  const { id } = picture;
  const scoring = useScoring(id);
  const write = () => void changePictures("write", { ids: [id] });
  const leaveBy = async (name: Change) => {
    onLeaving(id);
    if (await changePictures(name, { ids: [id] })) neighbours.leave();
    else onLeaving(undefined);
  };
  useHotkeys([["Delete", () => void leaveBy("delete")]]);
  return (
    <SimpleGrid cols={2} spacing="xs" verticalSpacing="xs">
      <Button
        className={classes.refine}
        component={Link}
        href={`/refine?picture=${id}`}
        leftSection={<IconWand size={18} aria-hidden />}
      >
        Refine
      </Button>
      <Button
        variant="default"
        loading={scoring.running}
        onClick={() => void scoring.start()}
        leftSection={<IconRefresh size={18} aria-hidden />}
      >
        {picture.allScores.length > 0 ? "Score again" : "Score"}
      </Button>
      <Button
        variant="default"
        disabled={picture.allScores.length === 0}
        onClick={write}
        leftSection={<IconFileCheck size={18} aria-hidden />}
      >
        Write score
      </Button>
      <Button
        variant="default"
        onClick={() => void leaveBy("reject")}
        leftSection={<IconThumbDown size={18} aria-hidden />}
      >
        Reject
      </Button>
      <Button
        variant="default"
        c="var(--weak-text)"
        onClick={() => void leaveBy("delete")}
        leftSection={<IconTrash size={18} aria-hidden />}
      >
        Delete
      </Button>
    </SimpleGrid>
  );
}

/** Scores this one picture by the settings' rewards, and fetches it anew as its scores come. */
function useScoring(id: string) {
  const client = useQueryClient();
  const [job, setJob] = useState<string>();
  const { job: followed, error } = useJob(job);
  const ended = followed !== undefined && !isAlive(followed);
  useServerEvent("library:scored", (scored) => {
    if (scored.id === id) void client.invalidateQueries({ queryKey: ["library", "picture", id] });
  });
  useEffect(() => {
    const problem = error ?? followed?.error;
    if (problem) sayError(problem);
    if (problem || ended) setJob(undefined);
  }, [error, followed, ended]);
  const start = async () => {
    try {
      setJob((await api.rescore({ ids: [id], again: true })).id);
    } catch (refusal) {
      sayError(refusal);
    }
  };
  return { running: job !== undefined, start };
}
